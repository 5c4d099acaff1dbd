#include "power_loss.h"

#include <errno.h>
#include <pthread.h>

#include "base/test.h"

enum { NOTHING = -1, FOLDER = -2 };

typedef struct {
    IoOp op;
    Str path;
    Str target;
    Str data;
    uint64_t offset;
} Event;

struct PowerLoss {
    Arena *arena;
    Str root;
    pthread_mutex_t lock;
    Vec(Event) start; /* makes the files that were there, synced */
    Vec(Event) events;
};

/* ---- recording ---- */

static int record(void *context, const IoEvent *event, UNUSED size_t *size)
{
    PowerLoss *recording = context;
    if (event->op == IO_READ)
        return 0;
    pthread_mutex_lock(&recording->lock);
    Arena *arena = recording->arena;
    Event kept = {
        .op = event->op,
        .path = str_copy(arena, str_from_c(event->path)),
        .target = str_copy(arena, str_from_c(event->target)),
        .offset = event->offset,
    };
    if (event->op == IO_WRITE)
        kept.data = str_copy(arena, (Str){.ptr = event->data, .len = event->size});
    VEC_PUSH(arena, &recording->events, kept);
    pthread_mutex_unlock(&recording->lock);
    return 0;
}

static void note_start(PowerLoss *recording, Event event)
{
    VEC_PUSH(recording->arena, &recording->start, event);
}

static void note_tree(PowerLoss *recording, Str path)
{
    Arena *arena = recording->arena;
    Error err = {0};
    if (!io_is_dir(path)) {
        Str text;
        ASSERT(io_read_file(arena, path, SIZE_MAX, &text, &err) == ERR_OK);
        note_start(recording, (Event){.op = IO_OPEN, .path = path});
        note_start(recording, (Event){.op = IO_WRITE, .path = path, .data = text});
        note_start(recording, (Event){.op = IO_SYNC, .path = path});
        return;
    }
    note_start(recording, (Event){.op = IO_MAKE_DIR, .path = path});
    IoNames names = {0};
    ASSERT(io_list_dir(arena, path, &names, &err) == ERR_OK);
    VEC_FOREACH (Str, name, &names)
        note_tree(recording, io_join(arena, path, *name));
    note_start(recording, (Event){.op = IO_SYNC_DIR, .path = path});
}

PowerLoss *power_loss_begin(Arena *arena, Str folder)
{
    PowerLoss *recording = ARENA_NEW(arena, PowerLoss);
    recording->arena = arena;
    recording->root = folder;
    pthread_mutex_init(&recording->lock, NULL);
    if (io_exists(folder))
        note_tree(recording, folder);
    io_set_hook(record, recording);
    return recording;
}

void power_loss_end(PowerLoss *recording)
{
    io_set_hook(NULL, NULL);
    pthread_mutex_destroy(&recording->lock);
}

size_t power_loss_events(const PowerLoss *recording)
{
    return recording->events.count;
}

/* ---- replaying: a small file system ---- */

typedef struct {
    StrBuf bytes; /* as programs see them */
    Str safe;     /* as of the last sync */
    bool is_cut_by_write;
} Inode;

typedef struct {
    Str path;
    int now;  /* number of the inode, FOLDER or NOTHING */
    int safe; /* as of the last sync of the folder */
} Name;

typedef struct {
    Arena *arena;
    Str root;
    Vec(Inode) inodes;
    Vec(Name) names;
    Map by_path;
} Disk;

static Str folder_of(Str path)
{
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    return path.len > 0 ? str_slice(path, 0, path.len - 1) : path;
}

/* Recorded paths may end in a slash. */
static Str without_slash(Str path)
{
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

static Name *name_of(Disk *disk, Str path)
{
    bool is_new;
    size_t at = map_intern(&disk->by_path, path, disk->names.count, &is_new);
    if (is_new)
        VEC_PUSH(disk->arena, &disk->names, (Name){.path = path, .now = NOTHING, .safe = NOTHING});
    return &disk->names.items[disk->by_path.entries[at].value];
}

static void open_file(Disk *disk, Name *name)
{
    if (name->now >= 0) {
        /* Whether it was cut is told by where the first write goes. */
        disk->inodes.items[name->now].is_cut_by_write = true;
        return;
    }
    Inode inode = {.safe = {.ptr = NULL, .len = 0}};
    strbuf_init(&inode.bytes, disk->arena, 0);
    VEC_PUSH(disk->arena, &disk->inodes, inode);
    name->now = (int)disk->inodes.count - 1;
}

static void write_file(Disk *disk, const Name *name, const Event *event)
{
    ASSERT(name->now >= 0);
    Inode *inode = &disk->inodes.items[name->now];
    if (inode->is_cut_by_write && event->offset == 0)
        strbuf_clear(&inode->bytes);
    inode->is_cut_by_write = false;
    while (inode->bytes.len < event->offset)
        strbuf_add_char(&inode->bytes, '\0');
    size_t over = inode->bytes.len - (size_t)event->offset;
    over = over < event->data.len ? over : event->data.len;
    if (over > 0)
        memcpy(inode->bytes.ptr + event->offset, event->data.ptr, over);
    strbuf_add(&inode->bytes, str_slice(event->data, over, event->data.len));
}

static void apply(Disk *disk, const Event *event)
{
    Str path = without_slash(event->path);
    Name *name = event->op == IO_SYNC_DIR ? NULL : name_of(disk, path);
    switch (event->op) {
    case IO_OPEN:
        open_file(disk, name);
        break;
    case IO_WRITE:
        write_file(disk, name, event);
        break;
    case IO_SYNC:
        if (name->now >= 0) {
            Inode *inode = &disk->inodes.items[name->now];
            inode->safe = str_copy(disk->arena, strbuf_str(&inode->bytes));
        }
        break;
    case IO_SYNC_DIR:
        VEC_FOREACH (Name, each, &disk->names) {
            if (str_eq(folder_of(each->path), path))
                each->safe = each->now;
        }
        break;
    case IO_RENAME: {
        int moved = name->now;
        name->now = NOTHING;
        name_of(disk, without_slash(event->target))->now = moved;
        break;
    }
    case IO_REMOVE:
        name->now = NOTHING;
        break;
    case IO_TRUNCATE:
        ASSERT(name->now >= 0);
        disk->inodes.items[name->now].bytes.len = (size_t)event->offset;
        break;
    case IO_MAKE_DIR:
        if (name->now == NOTHING)
            name->now = FOLDER;
        break;
    default:
        break;
    }
}

/* ---- what is left ---- */

typedef struct {
    PowerLossMode mode;
    uint64_t random;
} Fate;

static bool toss(Fate *fate)
{
    return fate->mode == POWER_LOSS_ALL ||
           (fate->mode == POWER_LOSS_RANDOM && test_random(&fate->random) % 2 == 0);
}

static Str left_of_inode(const Inode *inode, Fate *fate)
{
    Str bytes = strbuf_str(&inode->bytes);
    if (!toss(fate) || str_eq(bytes, inode->safe))
        return inode->safe;
    if (fate->mode == POWER_LOSS_RANDOM && toss(fate) && bytes.len > 0)
        return str_slice(bytes, 0, test_random(&fate->random) % bytes.len);
    return bytes;
}

static bool is_safe_folder(const Disk *disk, Str path)
{
    uint64_t at;
    return map_find(&disk->by_path, path, &at) && disk->names.items[at].safe == FOLDER;
}

/* Gives every name its place on the disk that is left, then writes those whose folders are. */
static ErrorCode write_left(Disk *disk, Fate fate, Str target, Error *err)
{
    VEC_FOREACH (Name, name, &disk->names) {
        if (name->safe != name->now && toss(&fate))
            name->safe = name->now;
    }
    VEC_FOREACH (Name, name, &disk->names) {
        bool is_below = name->path.len > disk->root.len + 1 &&
                        str_starts_with(name->path, disk->root) &&
                        name->path.ptr[disk->root.len] == '/';
        bool is_there = name->safe != NOTHING && is_below;
        for (Str up = folder_of(name->path); is_there && up.len > disk->root.len;
             up = folder_of(up))
            is_there = is_safe_folder(disk, up);
        if (!is_there)
            continue;
        Str path =
            io_join(disk->arena, target, str_slice(name->path, disk->root.len + 1, name->path.len));
        ErrorCode code =
            name->safe == FOLDER
                ? io_make_dirs(path, err)
                : io_write_file(path, left_of_inode(&disk->inodes.items[name->safe], &fate), err);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

ErrorCode power_loss_replay(const PowerLoss *recording, size_t events, PowerLossMode mode,
                            uint64_t seed, Str target, Error *err)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    Disk disk = {.arena = arena, .root = without_slash(recording->root)};
    map_init(&disk.by_path, arena);
    VEC_FOREACH (const Event, event, &recording->start)
        apply(&disk, event);
    ASSERT(events <= recording->events.count);
    for (size_t i = 0; i < events; i++)
        apply(&disk, &recording->events.items[i]);
    ErrorCode code = io_remove_tree(target, err);
    if (code == ERR_OK)
        code = io_make_dirs(target, err);
    return code == ERR_OK
               ? write_left(&disk, (Fate){.mode = mode, .random = seed * 2 + 1}, target, err)
               : code;
}

int full_disk_hook(void *context, const IoEvent *event, size_t *size)
{
    FullDisk *disk = context;
    if (event->op != IO_WRITE)
        return 0;
    /* Workers write at the same time. */
    size_t left = __atomic_load_n(&disk->writes_left, __ATOMIC_RELAXED);
    while (left > 0)
        if (__atomic_compare_exchange_n(&disk->writes_left, &left, left - 1, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return 0;
    __atomic_store_n(&disk->has_failed, true, __ATOMIC_RELAXED);
    *size /= 2; /* some of it still goes through */
    return ENOSPC;
}
