// change_list.h - changes in the order they came. One thread at a time.
#ifndef QUEUE_CHANGE_LIST_H
#define QUEUE_CHANGE_LIST_H

#include <stdatomic.h>
#include <stdint.h>

#include "queue/change.h"

struct change_list {
    struct change *first, **end;
};

// Tells what became of it, and counts it where it was refused and nobody waited for it. It may
// stand on the stack of a thread that is woken by that: not to be touched afterwards.
void change_tell(struct change *change, _Atomic uint64_t *refused_count);

void change_list_init(struct change_list *list);
void change_list_append(struct change_list *list, struct change *change);
// Appends all of from to `to`; from is empty after it.
void change_list_move(struct change_list *to, struct change_list *from);
// change_tell() for all of list, which is empty after it.
void change_list_tell(struct change_list *list, _Atomic uint64_t *refused_count);
// Takes out of list what is not kept (everything: all), but, where by_reserve, what that is; their
// result is QUEUE_REFUSED.
void change_list_take_refused(struct change_list *list, bool by_reserve, bool everything,
                              struct change_list *ret_refused);
// Gives those of list that are applied between commits, and leaves the others.
void change_list_take_between(struct change_list *list, struct change_list *ret_between);
// Applies each of those, with that result.
void change_list_apply(struct change_list *between, enum queue_result result,
                       struct database *database, int64_t now_ms);

#endif
