// sanitized.h - whether this is a build with ASan or TSan. Their runtimes have a heap of their own,
// need more of the machine than a child is left, and report to a descriptor that must stay open.
#ifndef RELAY_BASE_SANITIZED_H
#define RELAY_BASE_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#endif
