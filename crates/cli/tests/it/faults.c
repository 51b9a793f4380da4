/* Preloaded into the service: the storage fails in the way that the first number in the file says that FAULT
   names (a signed number of 64 bits), for as long as it says so. Only SQLite uses these functions here, on
   threads of its own: their names begin with those of the connection pools. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WRITE_FAILS = 1, SYNC_FAILS = 2, READ_FAILS = 3, NO_MEMORY = 4, LISTS_HANG = 5 };

static const volatile int64_t *fault;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("FAULT");
  int file = name ? open(name, O_RDONLY) : -1;
  if (file < 0) abort();
  void *page = mmap(NULL, sizeof *fault, PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) abort();
  fault = page;
}

static int is(int64_t which) { return fault && *fault == which; }

static int is_thread_of(const char *pool) {
  char name[16] = "";
  prctl(PR_GET_NAME, name);
  return strncmp(name, pool, strlen(pool)) == 0;
}

static long failed(void) {
  errno = EIO;
  return -1;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  return is(WRITE_FAILS) ? failed() : syscall(SYS_pwrite64, file, bytes, count, at);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
  return pwrite64(file, bytes, count, at);
}

int fdatasync(int file) { return is(SYNC_FAILS) ? failed() : syscall(SYS_fdatasync, file); }

int fsync(int file) { return is(SYNC_FAILS) ? failed() : syscall(SYS_fsync, file); }

ssize_t pread64(int file, void *bytes, size_t count, off64_t at) {
  while (is(LISTS_HANG) && is_thread_of("lists")) {
    const struct timespec moment = {0, 10000000};
    nanosleep(&moment, NULL);
  }
  return is(READ_FAILS) ? failed() : syscall(SYS_pread64, file, bytes, count, at);
}

ssize_t pread(int file, void *bytes, size_t count, off_t at) { return pread64(file, bytes, count, at); }

extern void *__libc_malloc(size_t size);

/* A page of SQLite's cache: 4096 bytes and what it keeps beside them. Rust would end the process where it gets
   no memory; its own buffers have other sizes. */
void *malloc(size_t size) {
  if (is(NO_MEMORY) && size > 4200 && size < 4600 &&
      (is_thread_of("writes") || is_thread_of("lists") || is_thread_of("lookups"))) {
    errno = ENOMEM;
    return NULL;
  }
  return __libc_malloc(size);
}
