/* A main for fuzz targets in builds without libFuzzer: gives them the files of a corpus. */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

/* A block of its own size, so that AddressSanitizer sees what is read beyond it. */
static uint8_t *file_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    MUST(f);
    MUST(fseek(f, 0, SEEK_END) == 0);
    long end = ftell(f);
    MUST(end >= 0);
    rewind(f);
    *size = (size_t)end;
    uint8_t *data = malloc(*size ? *size : 1);
    MUST(data);
    MUST(fread(data, 1, *size, f) == *size);
    MUST(fclose(f) == 0);
    return data;
}

static size_t folder_replay(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    MUST(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        size_t size;
        if (entry->d_name[0] == '.')
            continue;
        int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        MUST(len > 0 && (size_t)len < sizeof path);
        uint8_t *data = file_read(path, &size);
        (void)LLVMFuzzerTestOneInput(data, size);
        free(data);
        n++;
    }
    MUST(closedir(dir) == 0);
    return n;
}

int main(int argc, char **argv)
{
    size_t n = 0;
    for (int i = 1; i < argc; i++)
        n += folder_replay(argv[i]);
    printf("%zu inputs\n", n);
    return n ? 0 : 1;
}
