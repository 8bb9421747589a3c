// std_additions.h - what a normaliser written for go-jsonnet finds in std, and libjsonnet lacks.
#ifndef JSONNET_STD_ADDITIONS_H
#define JSONNET_STD_ADDITIONS_H

struct JsonnetVm;

// The text of std_additions.libsonnet: an expression, an object to be added to std. It needs the
// natives below.
extern const char std_additions[];

// Gives vm the natives that the text uses ("std_trim"). Their errors name no value.
void std_additions_register(struct JsonnetVm *vm);

#endif
