/*
 * replay -- main for a fuzz target in a normal build: runs each file given (or each file of each
 * folder given) through the target once, so that the corpus is a regression test with gcc too.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATH_BYTES_MAX = 4096 };

/* Returns false when the file cannot be read whole. */
static bool replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size + 1);
    bool ok = file != NULL && data != NULL && fread(data, 1, size, file) == size;
    if (ok)
        (void)LLVMFuzzerTestOneInput(data, size);
    else
        fprintf(stderr, "%s: cannot be read\n", path);
    free(data);
    if (file != NULL)
        (void)fclose(file);
    return ok;
}

/* A folder's files, not those of folders in it. Counts those that failed. */
static int replay_path(const char *path, int *ret_passed)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        fprintf(stderr, "%s: does not exist\n", path);
        return 1;
    }
    if (!S_ISDIR(status.st_mode)) {
        bool ok = replay_file(path, (size_t)status.st_size);
        *ret_passed += ok;
        return !ok;
    }
    int failed = 0;
    struct dirent **names = NULL;
    int count = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char child[PATH_BYTES_MAX];
        int length = snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
        if (length > 0 && length < PATH_BYTES_MAX && stat(child, &status) == 0 &&
            S_ISREG(status.st_mode)) {
            bool ok = replay_file(child, (size_t)status.st_size);
            *ret_passed += ok;
            failed += !ok;
        }
        free(names[i]);
    }
    free(names);
    return failed;
}

int main(int argc, char **argv)
{
    int passed = 0;
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed += replay_path(argv[i], &passed);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
