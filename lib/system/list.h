/* SPDX-License-Identifier: MIT
 *
 * Lists whose links are members of the listed objects.
 */
#ifndef FLK_LIST_H
#define FLK_LIST_H

#include <stddef.h>

struct link {
    struct link *next, *previous;
};

struct list {
    struct link *first;
};

/* The object that has the link as this member. */
#define LINK_OWNER(link, type, member) ((type *) (void *) ((char *) (link) -offsetof(type, member)))

/* Puts a link, which is on no list, at the beginning. */
void flk_list_add(struct list *list, struct link *link);

/* Takes a link off the list that it is on. */
void flk_list_remove(struct list *list, struct link *link);

#endif
