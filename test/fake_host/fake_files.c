/* fake_files.c — The fake host's storage: files in one directory. */
#include "fake_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct bt_reader {
    struct bt_run *run;
    FILE *file;
};

struct bt_writer {
    struct bt_run *run;
    FILE *file;
    char path[1024], name[512];
};

static const char scheme[] = "baton:///test/";

int fake_file_open(struct bt_run *run, const char *uri, struct bt_reader **ret_reader)
{
    char path[1024];
    const char *name = strrchr(uri, '/');
    if (!name)
        return BT_PLUGIN_NOT_FOUND;
    (void)snprintf(path, sizeof path, "%s%s", fake_dir, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return BT_PLUGIN_NOT_FOUND;
    struct bt_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        abort();
    *reader = (struct bt_reader){run, file};
    run->open_files++;
    *ret_reader = reader;
    return BT_PLUGIN_OK;
}

ptrdiff_t fake_file_read(struct bt_reader *reader, void *at, size_t len)
{
    return (ptrdiff_t)fread(at, 1, len, reader->file);
}

int64_t fake_file_size(struct bt_reader *reader)
{
    struct stat at;
    return fstat(fileno(reader->file), &at) == 0 ? at.st_size : BT_PLUGIN_IO;
}

void fake_file_close(struct bt_reader *reader)
{
    reader->run->open_files--;
    (void)fclose(reader->file);
    free(reader);
}

int fake_file_create(struct bt_run *run, const char *name, struct bt_writer **ret_writer)
{
    struct bt_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        abort();
    writer->run = run;
    (void)snprintf(writer->name, sizeof writer->name, "%s", name);
    (void)snprintf(writer->path, sizeof writer->path, "%s/.part", fake_dir);
    writer->file = fopen(writer->path, "we");
    if (!writer->file) {
        free(writer);
        return BT_PLUGIN_IO;
    }
    run->open_files++;
    *ret_writer = writer;
    return BT_PLUGIN_OK;
}

/* A file called full.* does not take anything: for the test of failing storage. */
int fake_file_write(struct bt_writer *writer, const void *at, size_t len)
{
    if (strncmp(writer->name, "full.", 5) == 0)
        return BT_PLUGIN_IO;
    return fwrite(at, 1, len, writer->file) == len ? BT_PLUGIN_OK : BT_PLUGIN_IO;
}

int fake_file_commit(struct bt_writer *writer, struct bt_text *ret_uri)
{
    char to[1600], uri[600];
    struct bt_run *run = writer->run;
    (void)snprintf(to, sizeof to, "%s/%s", fake_dir, writer->name);
    int len = snprintf(uri, sizeof uri, "%s%s", scheme, writer->name);
    bool is_one = fclose(writer->file) == 0 && rename(writer->path, to) == 0;
    run->open_files--;
    free(writer);
    *ret_uri = fake_keep(run, (struct bt_str){uri, (size_t)len});
    return is_one ? BT_PLUGIN_OK : BT_PLUGIN_IO;
}

void fake_file_abort(struct bt_writer *writer)
{
    (void)fclose(writer->file);
    (void)unlink(writer->path);
    writer->run->open_files--;
    free(writer);
}
