/* SPDX-License-Identifier: MIT
 *
 * memory.c - a malloc(3) that counts, and refuses a call when it is told to.  Its blocks have sizes of powers of two.
 */
#include "memory.h"

#include "testing.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#define TAKEN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TAKEN 1
#endif
#endif
#if !defined(TAKEN) && UNDER_TSAN
#define TAKEN 1
#endif

static long refused = -1, calls, blocks;

long memory_calls(void)
{
    return __atomic_load_n(&calls, __ATOMIC_SEQ_CST);
}

long memory_blocks(void)
{
    return __atomic_load_n(&blocks, __ATOMIC_SEQ_CST);
}

void memory_refuse(long call)
{
    __atomic_store_n(&refused, call, __ATOMIC_SEQ_CST);
    __atomic_store_n(&calls, 0, __ATOMIC_SEQ_CST);
}

#ifdef TAKEN

int memory_is_counted(void)
{
    return 0;
}

#else

int memory_is_counted(void)
{
    return 1;
}

#define ALIGNMENT 16
#define CHUNK ((size_t) 1 << 18)

/* The head before each block; as long as the alignment. */
union head {
    struct {
        union head *next; /* the next free block of this order */
        unsigned order;   /* the block and its head together have 2 to this bytes */
    } is;
    char space[ALIGNMENT];
};

static union head *unused[8 * sizeof(size_t)];
static char *fresh, *fresh_end;
static char busy;

static void enter(void)
{
    while (__atomic_test_and_set(&busy, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void leave(void)
{
    __atomic_clear(&busy, __ATOMIC_RELEASE);
}

static char *carve(size_t size)
{
    size_t most = size > CHUNK ? size : CHUNK;
    if ((size_t) (fresh_end - fresh) < size) {
        void *chunk = mmap(NULL, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (chunk == MAP_FAILED)
            return NULL;
        fresh = chunk;
        fresh_end = fresh + most;
    }
    fresh += size;
    return fresh - size;
}

/* Returns a head whose block begins at a multiple of the alignment; NULL: no memory. */
static union head *obtain(unsigned order, size_t alignment)
{
    union head *head = alignment == ALIGNMENT ? unused[order] : NULL;
    if (head) {
        unused[order] = head->is.next;
        return head;
    }
    size_t extra = alignment - ALIGNMENT;
    char *bytes = carve(((size_t) 1 << order) + extra);
    if (!bytes)
        return NULL;
    size_t block = (size_t) (bytes + sizeof *head);
    head = (union head *) (void *) (bytes + (alignment - block % alignment) % alignment);
    head->is.order = order;
    return head;
}

static void *allocate(size_t size, size_t alignment)
{
    unsigned order = 5;
    if (__atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST) == refused || size > PTRDIFF_MAX / 4) {
        errno = ENOMEM;
        return NULL;
    }
    while (((size_t) 1 << order) < size + sizeof(union head))
        order++;
    enter();
    union head *head = obtain(order, alignment < ALIGNMENT ? ALIGNMENT : alignment);
    blocks += head != NULL;
    leave();
    return head ? head + 1 : NULL;
}

void *malloc(size_t size)
{
    return allocate(size, ALIGNMENT);
}

void free(void *block)
{
    if (!block)
        return;
    union head *head = (union head *) block - 1;
    enter();
    head->is.next = unused[head->is.order];
    unused[head->is.order] = head;
    blocks--;
    leave();
}

/* Does not call malloc() and memset(), because compilers turn that into a call of calloc(). */
void *calloc(size_t count, size_t size)
{
    size_t bytes = count * size;
    void *block = size && bytes / size != count ? NULL : allocate(bytes, ALIGNMENT);
    return block ? memset(block, 0, bytes) : NULL;
}

void *realloc(void *block, size_t size)
{
    size_t had = block ? ((size_t) 1 << ((union head *) block - 1)->is.order) - sizeof(union head) : 0;
    void *larger = allocate(size, ALIGNMENT);
    if (larger && block)
        memcpy(larger, block, had < size ? had : size);
    if (larger)
        free(block);
    return larger;
}

/* Declared here because <stdlib.h> and <malloc.h> disagree about the attributes of these functions. */
void *memalign(size_t alignment, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
int posix_memalign(void **block, size_t alignment, size_t size);

void *memalign(size_t alignment, size_t size)
{
    return allocate(size, alignment);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return allocate(size, alignment);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *made = allocate(size, alignment);
    if (made)
        *block = made;
    return made ? 0 : ENOMEM;
}

#endif
