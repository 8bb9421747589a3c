// replay.c - the main() of a fuzz target where there is no libFuzzer: runs every file of the
// folders named on the command line once, and prints how many there were.
#include <dirent.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_SIZE_MAX (4 * 1024 * 1024)

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file, "a file of the corpus can be opened");
    AUTO_BUFFER struct buffer input;
    buffer_init(&input, INPUT_SIZE_MAX);
    char block[4096];
    for (size_t got; (got = fread(block, 1, sizeof(block), file)) > 0;)
        buffer_append(&input, block, got);
    FUZZ_CHECK(!ferror(file) && !input.failed, "a file of the corpus can be read");
    fclose(file);

    // A copy of exactly its size, so that a sanitizer sees a byte read beyond it.
    AUTO_FREE uint8_t *exact = malloc(input.size ? input.size : 1);
    FUZZ_CHECK(exact, "there is memory");
    if (input.size)
        memcpy(exact, input.data, input.size);
    LLVMFuzzerTestOneInput(exact, input.size);
}

static int replay_folder(const char *folder)
{
    int count = 0;
    DIR *entries = opendir(folder);
    FUZZ_CHECK(entries, "the folder of a corpus can be opened");
    for (const struct dirent *entry; (entry = readdir(entries));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        // Before it runs: what aborts is the last one named.
        fprintf(stderr, "%s\n", entry->d_name);
        replay_file(path);
        count++;
    }
    closedir(entries);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
