/* Stands between a program under test and the system: a wall clock that is off, and connections to one port that go to
 * another. Loaded with LD_PRELOAD; settings in the environment. The monotonic clock is left alone, and deadlines by the wall
 * clock are told to the system by its own. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static long offset_s;
static long from_port;
static long to_port;

__attribute__((constructor)) static void begin(void) {
    offset_s = number("KIROKU_SHIM_CLOCK_S");
    from_port = number("KIROKU_SHIM_FROM_PORT");
    to_port = number("KIROKU_SHIM_TO_PORT");
}

int clock_gettime(clockid_t id, struct timespec *at) {
    int result = (int)syscall(SYS_clock_gettime, id, at);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += offset_s;
    return result;
}

int gettimeofday(struct timeval *at, void *zone) {
    int result = (int)syscall(SYS_gettimeofday, at, zone);
    if (result == 0) at->tv_sec += offset_s;
    return result;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until) {
    static int (*real)(cnd_t *, mtx_t *, const struct timespec *);
    if (!real) real = (int (*)(cnd_t *, mtx_t *, const struct timespec *))dlsym(RTLD_NEXT, "cnd_timedwait");
    struct timespec system = *until;
    system.tv_sec -= offset_s;
    return real(condition, mutex, &system);
}

int connect(int socket, const struct sockaddr *address, socklen_t length) {
    struct sockaddr_in other;
    if (from_port && address->sa_family == AF_INET && length >= sizeof other) {
        other = *(const struct sockaddr_in *)address;
        if (ntohs(other.sin_port) == from_port) {
            other.sin_port = htons((unsigned short)to_port);
            return (int)syscall(SYS_connect, socket, &other, sizeof other);
        }
    }
    return (int)syscall(SYS_connect, socket, address, length);
}
