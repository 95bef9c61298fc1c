/* Preloaded into a process: keeps a copy of each ledger file as it was when it was last synced.
 *
 * That is what a loss of power leaves in the worst case, in which nothing reaches the disk without
 * a sync. A copy replaces the one before at once, under a lock that readers of all copies take. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    abort();
}

static void copy(int from, int to) {
    char buffer[65536];
    off_t offset = 0;
    ssize_t size;
    /* On the descriptor itself: closing another one of the file would release SQLite's locks. */
    while ((size = pread(from, buffer, sizeof buffer, offset)) > 0) {
        if (write(to, buffer, (size_t)size) != size) fail("write a copy");
        offset += size;
    }
    if (size < 0) fail("read a synced file");
}

static void keep(int fd) {
    const char *folder = getenv("LEDGER_CHILD_DISK");
    char link[64], path[PATH_MAX + 1], lock[PATH_MAX], part[PATH_MAX], whole[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX);
    if (!folder || length <= 0) return;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    if (!name || strncmp(name, "/signup.db", 10)) return;
    snprintf(lock, sizeof lock, "%s/lock", folder);
    snprintf(part, sizeof part, "%s/part", folder);
    snprintf(whole, sizeof whole, "%s%s", folder, name);
    int locked = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (locked < 0 || flock(locked, LOCK_EX)) fail("lock the copies");
    int to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0) fail("open a copy");
    copy(fd, to);
    close(to);
    if (rename(part, whole)) fail("replace a copy");
    close(locked);
}

/* The copy comes first: a sync promises nothing about what is written while it runs. */

int fsync(int fd) {
    keep(fd);
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    keep(fd);
    return (int)syscall(SYS_fdatasync, fd);
}
