/* Preloaded into PostgreSQL: every sync takes SYNC_MS milliseconds, as on a slower disk, and writes
 * nothing. */

#include <stdlib.h>
#include <time.h>

static int wait_for_disk(void) {
    const char *text = getenv("SYNC_MS");
    long ms = text ? atol(text) : 0;
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left)) {}
    return 0;
}

int fsync(int fd) {
    (void)fd;
    return wait_for_disk();
}

int fdatasync(int fd) {
    (void)fd;
    return wait_for_disk();
}
