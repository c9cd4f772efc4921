/* fdatasync that does not come back while the file HOB_TEST_HOLD is there: a disk that hangs. Loaded by LD_PRELOAD. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int file) {
    const char *hold = getenv("HOB_TEST_HOLD");
    while (hold && access(hold, F_OK) == 0) {
        usleep(5000);
    }
    return (int)syscall(SYS_fdatasync, file);
}
