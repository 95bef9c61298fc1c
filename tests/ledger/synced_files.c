/* Preloaded into a process: keeps a copy of each ledger file as it was when it was last synced.
 *
 * That is what a loss of power leaves in the worst case, in which nothing reaches the disk without
 * a sync. A copy replaces the one before at once, under a lock that readers of all copies take. */

#define _GNU_SOURCE
#include <errno.h>
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

/* Copies a file as the disk has it. A block that has not changed since a failed sync is not on the disk: the
 * kernel reports the error once, and takes the block for written. */
static void copy(int from, int to, const char *whole) {
    char now[512], lost[512], old[512], path[PATH_MAX];
    off_t offset = 0;
    ssize_t size;
    snprintf(path, sizeof path, "%s.lost", whole);
    int lost_file = open(path, O_RDONLY | O_CLOEXEC);
    int old_file = open(whole, O_RDONLY | O_CLOEXEC);
    /* On the descriptor itself: closing another one of the file would release SQLite's locks. */
    while ((size = pread(from, now, sizeof now, offset)) > 0) {
        int is_lost = lost_file >= 0 && pread(lost_file, lost, (size_t)size, offset) == size && !memcmp(now, lost, (size_t)size);
        if (is_lost) {
            memset(old, 0, sizeof old);
            if (old_file >= 0 && pread(old_file, old, (size_t)size, offset) < 0) fail("read a copy");
        }
        if (write(to, is_lost ? old : now, (size_t)size) != size) fail("write a copy");
        offset += size;
    }
    if (size < 0) fail("read a synced file");
    if (lost_file >= 0) close(lost_file);
    if (old_file >= 0) close(old_file);
}

/* Keeps a copy. Returns whether the sync fails instead: the next one of a log, once there is a file "fail". */
static int keep(int fd) {
    const char *folder = getenv("LEDGER_CHILD_DISK");
    char link[64], path[PATH_MAX + 1], lock[PATH_MAX], part[PATH_MAX], whole[PATH_MAX], lost[PATH_MAX], order[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX);
    if (!folder || length <= 0) return 0;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    if (!name || strncmp(name, "/signup.db", 10)) return 0;
    snprintf(lock, sizeof lock, "%s/lock", folder);
    snprintf(part, sizeof part, "%s/part", folder);
    snprintf(whole, sizeof whole, "%s%s", folder, name);
    snprintf(lost, sizeof lost, "%s.lost", whole);
    int locked = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (locked < 0 || flock(locked, LOCK_EX)) fail("lock the copies");
    snprintf(order, sizeof order, "%s/fail", folder);
    int fails = !strcmp(name, "/signup.db-wal") && !unlink(order);
    int to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0) fail("open a copy");
    copy(fd, to, fails ? "" : whole);
    close(to);
    if (rename(part, fails ? lost : whole)) fail("replace a copy");
    close(locked);
    return fails;
}

/* The copy comes first: a sync promises nothing about what is written while it runs. */

int fsync(int fd) {
    keep(fd);
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    if (keep(fd)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}
