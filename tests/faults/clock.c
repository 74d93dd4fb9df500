/* The clock on the wall, as far from the real one as a file says: seconds, as a 64-bit number, that may change at any time.
   Loaded before the C library. The clock that only goes forward is left alone, as it is where somebody sets the time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *ahead;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("TEST_CLOCK");
  int file = path ? open(path, O_RDONLY) : -1;
  void *page = file < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) abort();
  ahead = page;
  close(file);
}

static int64_t off(void) { return ahead ? *ahead : 0; }

int clock_gettime(clockid_t clock, struct timespec *at) {
  int failed = (int)syscall(SYS_clock_gettime, clock, at);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += off();
  return failed;
}

int gettimeofday(struct timeval *at, void *zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec *at, int base) {
  if (base != TIME_UTC) return 0;
  clock_gettime(CLOCK_REALTIME, at);
  return base;
}

/* What is left until a time on the wall as a time of the real clock, or 20 ms of it: a wait ends when that clock says so, however it
   got there. 0: it is over. */
static int next(const struct timespec *until, struct timespec *real) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int64_t left = (until->tv_sec - now.tv_sec) * 1000000000LL + until->tv_nsec - now.tv_nsec;
  if (left <= 0) return 0;
  if (left > 20000000) left = 20000000;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, real);
  real->tv_nsec += left;
  if (real->tv_nsec >= 1000000000) {
    real->tv_nsec -= 1000000000;
    real->tv_sec++;
  }
  return 1;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
  static int (*wait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  struct timespec real;
  int woken;
  if (!wait) wait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (!wait) wait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  /* Such a number is of the clock that only goes forward. */
  if (until->tv_sec < 1000000000) return wait(cond, mutex, until);
  while (next(until, &real))
    if ((woken = wait(cond, mutex, &real)) != ETIMEDOUT) return woken;
  return ETIMEDOUT;
}

int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *until) {
  static int (*wait)(cnd_t *, mtx_t *, const struct timespec *);
  struct timespec real;
  int woken;
  if (!wait) wait = dlsym(RTLD_NEXT, "cnd_timedwait");
  while (next(until, &real))
    if ((woken = wait(cond, mutex, &real)) != thrd_timedout) return woken;
  return thrd_timedout;
}
