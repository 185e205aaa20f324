// Loaded into a server before its own libraries: moves its wall clock by as many milliseconds as a file says, read anew each time.
// Owns nothing else: what a program measures with, the monotonic clock, stays what it is.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long moved_ms(void) {
  static int file = -1;
  char text[32] = {0};
  if (file < 0) file = open(getenv("WALL_CLOCK_MOVED_MS"), O_RDONLY | O_CLOEXEC);
  if (file < 0 || pread(file, text, sizeof text - 1, 0) <= 0) return 0;
  return atoll(text);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec real;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &real);
  long long us = real.tv_sec * 1000000LL + real.tv_nsec / 1000 + moved_ms() * 1000;
  now->tv_sec = us / 1000000;
  now->tv_usec = us % 1000000;
  return 0;
}
