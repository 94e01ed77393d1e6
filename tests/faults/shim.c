/* Preloaded into a process, it sees every call that changes a file below a folder, and lets one fail, tear or kill.
 *
 *   STRETTO_FAULT_ROOT   the folder
 *   STRETTO_FAULT        ACTION OPS FIRST LAST ERRNO: what happens at the calls number FIRST to LAST, of the kinds OPS
 *   STRETTO_FAULT_TRACE  a file outside, to which each call is appended that was made, or failed
 *   STRETTO_FAULT_ACKS   a file outside; what is written there stands in the trace too, as `a`
 *
 * Kinds: c a file is made, w write, t truncate, s sync, r rename or link, u unlink, m mkdir, l a lock of fcntl, p
 * a shared mapping; the last two are not traced, but z is, a file emptied by opening it, and k, a link. Actions: kill (SIGKILL instead of the call), torn (half of a write, then SIGKILL), fail
 * (ERRNO instead of the call), short (half of the first write, then ERRNO).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Looked for once: dlsym takes a lock of the loader's. */
#define REAL(name) ({ static __typeof__(&name) found; if (!found) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); found; })

static const pthread_mutex_t fresh = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t turn = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pid_t owner;
static char plan[128], action[16], kinds[32];
static long first, last, number, counted;
static int trace = -1;

static void own(void) {
    turn = fresh;
    owner = getpid();
}

__attribute__((constructor)) static void begin(void) {
    own();
    pthread_atfork(NULL, NULL, own);
}

/* Between vfork and exec a child has its parent's memory, and `turn` with it. It must not wait for that: the thread that
 * has it may have been killed with the parent, and the child would keep what it was given, locks of files too, for ever. */
static int between(void) { return getpid() != owner; }

static void look(void) {
    const char *now = getenv("STRETTO_FAULT"), *to = getenv("STRETTO_FAULT_TRACE");
    if (!now) now = "";
    if (strcmp(now, plan)) {
        snprintf(plan, sizeof plan, "%s", now);
        counted = 0;
        if (sscanf(plan, "%15s %31s %ld %ld %ld", action, kinds, &first, &last, &number) != 5) action[0] = 0;
    }
    if (to && trace < 0) trace = REAL(open)(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static int below(const char *path, const char *root) {
    size_t length = root ? strlen(root) : 0;
    return length && !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

static int named(int folder, const char *path, char *out) {
    if (path[0] == '/') return snprintf(out, PATH_MAX, "%s", path) < PATH_MAX;
    char link[64], base[PATH_MAX];
    if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t n = readlink(link, base, sizeof base - 1);
        if (n < 0) return 0;
        base[n] = 0;
    }
    return snprintf(out, PATH_MAX, "%s/%s", base, path) < PATH_MAX;
}

/* 1 for a path below the folder, 2 for the acknowledgements, else 0. */
static int ours(int folder, const char *path, char *out) {
    int kept = errno, found = 0;
    if (getenv("STRETTO_FAULT_ROOT") && named(folder, path, out)) {
        const char *acks = getenv("STRETTO_FAULT_ACKS");
        found = below(out, getenv("STRETTO_FAULT_ROOT")) ? 1 : acks && !strcmp(out, acks) ? 2 : 0;
    }
    errno = kept;
    return found;
}

static int open_file(int fd, char *out) {
    char name[64], base[PATH_MAX];
    int kept = errno, found = 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = getenv("STRETTO_FAULT_ROOT") ? readlink(name, base, sizeof base - 1) : 0;
    if (n > 0 && base[0] == '/') {
        base[n] = 0;
        found = ours(AT_FDCWD, base, out);
    }
    errno = kept;
    return found;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* How this call is to go: 0 as ever, 1 fail, 2 half. Kills by itself, unless half is to be written before. */
static int fate(char kind) {
    look();
    if (!action[0] || !strchr(kinds, kind)) return 0;
    long n = ++counted;
    if (n < first || n > last) return 0;
    if (!strcmp(action, "kill")) die();
    if (!strcmp(action, "torn")) return kind == 'w' ? 2 : (die(), 0);
    if (!strcmp(action, "short") && n == first && kind == 'w') return 2;
    errno = (int)number;
    return 1;
}

static void tell(char kind, int failed, const char *path, const char *other, uint64_t at, const void *data, size_t n) {
    if (trace < 0) return;
    int kept = errno;
    struct __attribute__((packed)) {
        char kind, failed;
        uint16_t path, other;
        uint64_t at, length;
    } head = {kind, (char)failed, (uint16_t)strlen(path), (uint16_t)strlen(other), at, n};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path}, {(void *)other, head.other}, {(void *)data, data ? n : 0}};
    if (REAL(writev)(trace, parts, 4) < 0) abort();
    errno = kept;
}

#define ENTER char path[PATH_MAX], other[PATH_MAX]; (void)other; int which; ssize_t done; pthread_mutex_lock(&turn)
#define LEAVE(value) do { __typeof__(value) left = (value); pthread_mutex_unlock(&turn); return left; } while (0)

/* Writing */

static ssize_t put(int fd, const void *data, size_t n, off_t at, int placed) {
    if (between()) return placed ? REAL(pwrite)(fd, data, n, at) : REAL(write)(fd, data, n);
    ENTER;
    which = open_file(fd, path);
    int how = which == 1 ? fate('w') : (look(), 0);
    if (how == 2) n = n > 1 ? n / 2 : n;
    if (how == 1) {
        tell('w', 1, path, "", 0, "", 0);
        LEAVE((ssize_t)-1);
    }
    if (which && !placed) {
        struct stat st;
        at = fcntl(fd, F_GETFL) & O_APPEND && !fstat(fd, &st) ? st.st_size : lseek(fd, 0, SEEK_CUR);
    }
    done = placed ? REAL(pwrite)(fd, data, n, at) : REAL(write)(fd, data, n);
    if (which && done >= 0) tell(which == 2 ? 'a' : 'w', 0, path, "", (uint64_t)at, data, (size_t)done);
    if (how == 2 && !strcmp(action, "torn")) die();
    LEAVE(done);
}

ssize_t write(int fd, const void *data, size_t n) { return put(fd, data, n, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { return put(fd, data, n, at, 1); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) { return put(fd, data, n, at, 1); }

static int cut(int fd, off_t length) {
    if (between()) return REAL(ftruncate)(fd, length);
    ENTER;
    which = open_file(fd, path) == 1;
    if (which && fate('t')) LEAVE(-1);
    done = REAL(ftruncate)(fd, length);
    if (which && !done) tell('t', 0, path, "", (uint64_t)length, "", 0);
    LEAVE((int)done);
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

static int flushed(int fd, int (*sync)(int)) {
    if (between()) return sync(fd);
    ENTER;
    which = open_file(fd, path) == 1;
    if (which && fate('s')) {
        tell('s', 1, path, "", 0, "", 0);
        LEAVE(-1);
    }
    done = sync(fd);
    if (which) tell('s', done != 0, path, "", 0, "", 0);
    LEAVE((int)done);
}

int fsync(int fd) { return flushed(fd, REAL(fsync)); }
int fdatasync(int fd) { return flushed(fd, REAL(fdatasync)); }

/* Names */

static int opened(int folder, const char *name, int flags, mode_t mode) {
    if (between()) return REAL(openat)(folder, name, flags, mode);
    ENTER;
    struct stat st;
    which = ours(folder, name, path) == 1;
    int there = which && !lstat(path, &st);
    int makes = which && !there && flags & O_CREAT && (flags & O_TMPFILE) != O_TMPFILE;
    if (makes && fate('c')) LEAVE(-1);
    done = REAL(openat)(folder, name, flags, mode);
    if (makes && done >= 0) tell('c', 0, path, "", 0, "", 0);
    if (there && done >= 0 && flags & O_TRUNC) tell('z', 0, path, "", 0, "", 0);
    LEAVE((int)done);
}

#define MODE mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE return opened(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE return opened(folder, name, flags | O_LARGEFILE, mode); }

static int moved(int a, const char *old, int b, const char *new, int is_link) {
    if (between()) return is_link ? REAL(linkat)(a, old, b, new, 0) : REAL(renameat)(a, old, b, new);
    ENTER;
    which = ours(a, old, path) == 1;
    which += ours(b, new, other) == 1;
    if (which && fate('r')) LEAVE(-1);
    done = is_link ? REAL(linkat)(a, old, b, new, 0) : REAL(renameat)(a, old, b, new);
    if (which && !done) tell(is_link ? 'k' : 'r', 0, path, other, 0, "", 0);
    LEAVE((int)done);
}

int rename(const char *old, const char *new) { return moved(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int a, const char *old, int b, const char *new) { return moved(a, old, b, new, 0); }
int link(const char *old, const char *new) { return moved(AT_FDCWD, old, AT_FDCWD, new, 1); }

static int gone(int folder, const char *name, int flags) {
    if (between()) return REAL(unlinkat)(folder, name, flags);
    ENTER;
    which = ours(folder, name, path) == 1;
    if (which && fate('u')) LEAVE(-1);
    done = REAL(unlinkat)(folder, name, flags);
    if (which && !done) tell('u', 0, path, "", 0, "", 0);
    LEAVE((int)done);
}

int unlink(const char *name) { return gone(AT_FDCWD, name, 0); }
int unlinkat(int folder, const char *name, int flags) { return gone(folder, name, flags); }
int rmdir(const char *name) { return gone(AT_FDCWD, name, AT_REMOVEDIR); }

static int folded(int folder, const char *name, mode_t mode) {
    if (between()) return REAL(mkdirat)(folder, name, mode);
    ENTER;
    which = ours(folder, name, path) == 1;
    if (which && access(path, F_OK) && fate('m')) LEAVE(-1);
    done = REAL(mkdirat)(folder, name, mode);
    if (which && !done) tell('m', 0, path, "", 0, "", 0);
    LEAVE((int)done);
}

int mkdir(const char *name, mode_t mode) { return folded(AT_FDCWD, name, mode); }
int mkdirat(int folder, const char *name, mode_t mode) { return folded(folder, name, mode); }

/* What some file systems cannot do */

static int locked(int fd, int command, void *argument, int (*control)(int, int, ...)) {
    char path[PATH_MAX];
    if (!between() && (command == F_SETLK || command == F_SETLKW) && open_file(fd, path) == 1 && fate('l')) return -1;
    return control(fd, command, argument);
}

#define LOCKED(name) va_list rest; va_start(rest, command); void *a = va_arg(rest, void *); va_end(rest); return locked(fd, command, a, REAL(name))
int fcntl(int fd, int command, ...) { LOCKED(fcntl); }
int fcntl64(int fd, int command, ...) { LOCKED(fcntl64); }

static void *mapped(void *at, size_t n, int protection, int flags, int fd, off_t from) {
    char path[PATH_MAX];
    if (!between() && fd >= 0 && flags & MAP_SHARED && open_file(fd, path) == 1 && fate('p')) return MAP_FAILED;
    return REAL(mmap)(at, n, protection, flags, fd, from);
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t from) { return mapped(at, n, protection, flags, fd, from); }
void *mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t from) { return mapped(at, n, protection, flags, fd, from); }
