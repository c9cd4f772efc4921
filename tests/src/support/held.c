/* Calls that do not come back while a file is there: a disk that hangs. fdatasync while HOB_TEST_HOLD is, pread64 while
 * HOB_TEST_HOLD_READS is. Loaded by LD_PRELOAD. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_while(const char *variable) {
    const char *hold = getenv(variable);
    while (hold && access(hold, F_OK) == 0) {
        usleep(5000);
    }
}

int fdatasync(int file) {
    wait_while("HOB_TEST_HOLD");
    return (int)syscall(SYS_fdatasync, file);
}

ssize_t pread64(int file, void *buffer, size_t bytes, off64_t offset) {
    wait_while("HOB_TEST_HOLD_READS");
    return syscall(SYS_pread64, file, buffer, bytes, offset);
}
