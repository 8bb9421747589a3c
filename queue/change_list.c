#include "queue/change_list.h"

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
