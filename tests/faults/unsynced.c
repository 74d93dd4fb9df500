/* A disk that cannot keep what one file is told to: fsync fails of the file that TEST_UNSYNCED names. Loaded before the C library. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int file) {
  char link[64], path[PATH_MAX + 1];
  const char *broken = getenv("TEST_UNSYNCED");
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, PATH_MAX);
  path[length < 0 ? 0 : length] = 0;
  if (broken && !strcmp(path, broken)) {
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_fsync, file);
}
