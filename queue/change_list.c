#include "queue/change_list.h"

void change_tell(struct change *change, _Atomic uint64_t *refused_count)
{
    void (*destroy)(struct change *) = change->type->destroy;
    if (change->result == QUEUE_REFUSED && !change->waited_for)
        atomic_fetch_add(refused_count, 1);
    change->done(change->context, change->result, change->id);
    if (destroy)
        destroy(change);
}

void change_list_tell(struct change_list *list, _Atomic uint64_t *refused_count)
{
    struct change *change = list->first;
    change_list_init(list);
    while (change) {
        struct change *next = change->next;
        change_tell(change, refused_count);
        change = next;
    }
}

void change_list_init(struct change_list *list)
{
    *list = (struct change_list){.end = NULL};
    list->end = &list->first;
}

void change_list_append(struct change_list *list, struct change *change)
{
    change->next = NULL;
    *list->end = change;
    list->end = &change->next;
}

void change_list_move(struct change_list *to, struct change_list *from)
{
    if (from->first) {
        *to->end = from->first;
        to->end = from->end;
    }
    change_list_init(from);
}

void change_list_take_between(struct change_list *list, struct change_list *ret_between)
{
    struct change *change = list->first;
    change_list_init(list);
    change_list_init(ret_between);
    while (change) {
        struct change *next = change->next;
        change_list_append(change->type->between ? ret_between : list, change);
        change = next;
    }
}

void change_list_apply(struct change_list *between, enum queue_result result,
                       struct database *database, int64_t now_ms)
{
    for (struct change *change = between->first; change; change = change->next) {
        change->result = result;
        change->type->apply(change, database, now_ms); // SQLITE_OK
    }
}

void change_list_take_refused(struct change_list *list, bool by_reserve, bool everything,
                              struct change_list *ret_refused)
{
    struct change *change = list->first;
    change_list_init(ret_refused);
    change_list_init(list);
    while (change) {
        struct change *next = change->next;
        const struct change_type *type = change->type;
        bool stays = !everything && (type->kept || (by_reserve && type->by_reserve));
        if (!stays)
            change->result = QUEUE_REFUSED;
        change_list_append(stays ? list : ret_refused, change);
        change = next;
    }
}
