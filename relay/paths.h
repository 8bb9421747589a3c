// paths.h - where the programs and the shipped files are, seen from where this program stands.
//
//   a clone:     build/X/bin -> build/X/libexec/courier-relay, and the clone's templates, jsonnet
//   installed:   PREFIX/bin  -> PREFIX/libexec/courier-relay, PREFIX/share/courier-relay
#ifndef RELAY_PATHS_H
#define RELAY_PATHS_H

#include "relay/base/error.h"

struct paths {
    char *composer, *deliverer; // programs; they need not exist
    char *templates_dir, *normaliser, *samples_dir;
};

// program_dir: where this program is, see process_program_dir(). Release with paths_finish().
bool paths_find(const char *program_dir, struct paths *ret_paths, struct error *err);
void paths_finish(struct paths *paths);

#endif
