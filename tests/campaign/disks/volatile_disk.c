/*
 * A disk that fails on order, for LD_PRELOAD into a process that keeps a database.
 *
 * VOLATILE_DISK names a folder, as an absolute path without links; the files that lie directly in
 * it are on the disk. VOLATILE_DISK_STATE names another folder on the same file system, with
 *
 *   durable/    what every file held when it was last synced: what a loss of power leaves
 *   capacity    if there: how many bytes fit on the disk; what would need more fails with ENOSPC
 *   read_only   if there: whatever would change the disk fails with EROFS
 *   sync_fails  if there: every sync fails with EIO
 *
 * Orders are read at every call, so that they hold at once, and for all processes.
 *
 * What was written counts as lost until its file is synced, a new file's name with it. That a file
 * is removed or renamed is durable at once: a directory is never waited for.
 *
 * The real calls are made by number, since their names are taken. Only the calls of SQLite and of
 * Python's os are seen: no openat, no writev, no mapped pages (SQLite maps -shm, and makes it anew
 * after a crash).
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *disk = "";
static const char *state = "";

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("VOLATILE_DISK"), *beside = getenv("VOLATILE_DISK_STATE");
    if (folder && beside) {
        disk = strdup(folder);
        state = strdup(beside);
    }
}

/* The name on the disk of what lies at a path; NULL if it does not lie there. */
static const char *name_at(const char *path)
{
    size_t length = strlen(disk);
    if (!length || strncmp(path, disk, length) || path[length] != '/')
        return NULL;
    const char *name = path + length + 1;
    return *name && !strchr(name, '/') ? name : NULL;
}

/* The same of an open file. One that was removed has another name by then, and is not there. */
static const char *name_of(int fd, char path[PATH_MAX])
{
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return NULL;
    path[length] = 0;
    struct stat file;
    const char *name = name_at(path);
    return name && !fstat(fd, &file) && S_ISREG(file.st_mode) && file.st_nlink ? name : NULL;
}

static void in_state(char path[PATH_MAX], const char *folder, const char *name)
{
    snprintf(path, PATH_MAX, "%s/%s%s", state, folder, name);
}

static int is_ordered(const char *what)
{
    char path[PATH_MAX];
    in_state(path, "", what);
    return !syscall(SYS_faccessat, AT_FDCWD, path, F_OK);
}

static int fails(int error)
{
    errno = error;
    return -1;
}

/* The bytes that fit on the disk; -1 for any number. */
static long long capacity(void)
{
    char path[PATH_MAX], text[32];
    in_state(path, "", "capacity");
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length < 0 ? 0 : length] = 0;
    return atoll(text);
}

static long long used(void)
{
    DIR *folder = opendir(disk);
    if (!folder)
        return 0;
    long long bytes = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        struct stat file;
        if (!fstatat(dirfd(folder), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) && S_ISREG(file.st_mode))
            bytes += file.st_size;
    }
    closedir(folder);
    return bytes;
}

/* Why a file may not be written up to `end`; 0 if it may. */
static int refusal(int fd, off_t end)
{
    char path[PATH_MAX];
    if (!name_of(fd, path))
        return 0;
    if (is_ordered("read_only"))
        return EROFS;
    struct stat file;
    long long room = capacity();
    if (room < 0 || fstat(fd, &file) || end <= file.st_size)
        return 0;
    return used() + end - file.st_size > room ? ENOSPC : 0;
}

/* Makes what a file holds now durable: wholly, or, if the process is killed meanwhile, not at all. */
static int keep(int fd, const char *name)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    static char block[1 << 16];
    char draft[PATH_MAX], durable[PATH_MAX], draft_name[32];
    snprintf(draft_name, sizeof draft_name, "draft-%d", (int)getpid());
    in_state(draft, "", draft_name);
    in_state(durable, "durable/", name);

    pthread_mutex_lock(&one_at_a_time);
    struct stat file;
    fstat(fd, &file);
    int copy = syscall(SYS_openat, AT_FDCWD, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int done = copy < 0 ? -1 : fchmod(copy, file.st_mode & 07777);
    /* By this descriptor, which has to be readable: closing another one drops SQLite's locks. */
    for (off_t at = 0; !done;) {
        ssize_t length = pread(fd, block, sizeof block, at);
        if (!length)
            break;
        done = length < 0 || syscall(SYS_write, copy, block, length) != length ? -1 : 0;
        at += length;
    }
    if (copy >= 0)
        close(copy);
    if (!done)
        done = syscall(SYS_renameat, AT_FDCWD, draft, AT_FDCWD, durable);
    pthread_mutex_unlock(&one_at_a_time);
    if (done)
        fprintf(stderr, "volatile_disk: %s cannot be kept: %s\n", name, strerror(errno));
    return done;
}

static int sync_by(long call, int fd)
{
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (!name)
        return syscall(call, fd);
    return is_ordered("sync_fails") ? fails(EIO) : keep(fd, name);
}

int fsync(int fd) { return sync_by(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }

ssize_t write(int fd, const void *bytes, size_t count)
{
    off_t at = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    int error = at < 0 ? 0 : refusal(fd, at + count);
    return error ? fails(error) : syscall(SYS_write, fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    int error = refusal(fd, at + count);
    return error ? fails(error) : syscall(SYS_pwrite64, fd, bytes, count, at);
}

int ftruncate(int fd, off_t size)
{
    int error = refusal(fd, size);
    return error ? fails(error) : syscall(SYS_ftruncate, fd, size);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
    va_end(rest);
    if (name_at(path) && is_ordered("read_only")) {
        int is_new = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0;
        if (flags & O_CREAT && flags & O_EXCL && !is_new)
            return fails(EEXIST);
        if ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC || (flags & O_CREAT && is_new))
            return fails(EROFS);
    }
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int access(const char *path, int mode)
{
    if (mode & W_OK && name_at(path) && is_ordered("read_only"))
        return fails(EROFS);
    return syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

int chmod(const char *path, mode_t mode)
{
    if (name_at(path) && is_ordered("read_only"))
        return fails(EROFS);
    return syscall(SYS_fchmodat, AT_FDCWD, path, mode);
}

int unlink(const char *path)
{
    const char *name = name_at(path);
    if (name && is_ordered("read_only"))
        return fails(EROFS);
    int done = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (name && !done) {
        char durable[PATH_MAX];
        in_state(durable, "durable/", name);
        syscall(SYS_unlinkat, AT_FDCWD, durable, 0);
    }
    return done;
}

int rename(const char *from, const char *to)
{
    const char *old = name_at(from), *new = name_at(to);
    if ((old || new) && is_ordered("read_only"))
        return fails(EROFS);
    int done = syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    if (done || !(old || new))
        return done;
    char durable_old[PATH_MAX], durable_new[PATH_MAX];
    in_state(durable_old, "durable/", old ? old : "");
    in_state(durable_new, "durable/", new ? new : "");
    /* What came without having been synced, or from elsewhere, leaves nothing at its new name. */
    if (!old || !new || syscall(SYS_renameat, AT_FDCWD, durable_old, AT_FDCWD, durable_new))
        syscall(SYS_unlinkat, AT_FDCWD, new ? durable_new : durable_old, 0);
    return 0;
}

#ifdef __GLIBC__
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    return pwrite(fd, bytes, count, at);
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
    va_end(rest);
    return open(path, flags, mode);
}
#endif
