/* Another time of day, for a process that is started with this before libc: the file that CLOCK_FILE names holds how
   many seconds are added to it, and whether it stands still. The monotonic clocks are left alone, as the kernel does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct told { long long added; long long frozen_at; };
static volatile struct told *told;

static void look(void) {
    const char *path = getenv("CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(NULL, sizeof *told, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (found != MAP_FAILED) told = found;
}

int clock_gettime(clockid_t which, struct timespec *out) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) { real = dlsym(RTLD_NEXT, "clock_gettime"); look(); }
    int result = real(which, out);
    if (result == 0 && told && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        if (told->frozen_at) { out->tv_sec = told->frozen_at; out->tv_nsec = 0; }
        out->tv_sec += told->added;
    }
    return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
