/* SPDX-License-Identifier: MIT
 *
 * Lists whose links are members of the listed objects.
 */
#include "config.h"

#include "system/list.h"

void flk_list_add(struct list *list, struct link *link)
{
    link->previous = NULL;
    link->next = list->first;
    if (list->first != NULL)
        list->first->previous = link;
    list->first = link;
}

void flk_list_remove(struct list *list, struct link *link)
{
    if (link->previous != NULL)
        link->previous->next = link->next;
    else
        list->first = link->next;
    if (link->next != NULL)
        link->next->previous = link->previous;
}
