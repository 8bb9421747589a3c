// backup_file.h - the file that a backup becomes: made beside its name, and under it once it is
// whole, sound and on disk.
#ifndef QUEUE_BACKUP_FILE_H
#define QUEUE_BACKUP_FILE_H

#include "relay/base/error.h"

struct backup_file {
    char *path, *part_path; // "FILE", "FILE.part"
    char *queue_dir;
    int fd; // of the part
    bool shares_disk;
};

// Makes path.part (0600) for a copy of the queue in queue_dir. ERR_INPUT: path is not absolute, or
// there is such a file. ERR_TEMPORARY: no room, or another one is being made there. What a killed
// one has left is replaced.
bool backup_file_create(struct backup_file *file, const char *path, const char *queue_dir,
                        struct error *err);

// Puts what was written so far on disk, so that it does not come all at once in the end; fails
// where the disk is the queue's own as well and has little room left.
bool backup_file_flush(struct backup_file *file, struct error *err);

// Looks whether the copy is sound, puts it on disk and gives it its name. is_cancelled (called now
// and then) ends the look as a failure.
bool backup_file_publish(struct backup_file *file, int (*is_cancelled)(void *context),
                         void *context, struct error *err);

// Removes what was not published. Good for one that could not be created.
void backup_file_finish(struct backup_file *file);

#endif
