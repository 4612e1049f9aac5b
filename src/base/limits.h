/* limits.h — Every limit of the program, in one place. Bytes unless the name says otherwise.
 * A test stands at N-1, N and N+1 of each. */
#pragma once

/* Values and JSON. */
#define BT_VALUE_DEPTH_MAX 512        /* Levels of nesting. */
#define BT_JSON_BYTES_MAX (64u << 20) /* One document. */
#define BT_JSON_NODES_MAX 5000000u    /* Values in one document. */

/* Flows. */
#define BT_YAML_BYTES_MAX (5u << 20)    /* One source file. */
#define BT_YAML_DEPTH_MAX 100           /* Levels of nesting. */
#define BT_YAML_NODES_MAX 500000u       /* Nodes, aliases expanded. */
#define BT_YAML_ALIAS_NODES_MAX 100000u /* Nodes that aliases may add. */
#define BT_FLOW_TASKS_MAX 20000u        /* Tasks of one flow, all levels. */
#define BT_FLOW_DEPTH_MAX 32            /* Nested flowables. */
#define BT_SUBFLOW_DEPTH_MAX 100        /* Executions above one. */
#define BT_DIAGS_MAX 200                /* Diagnostics kept for one file. */
#define BT_ID_BYTES_MAX 100
#define BT_NAMESPACE_BYTES_MAX 150
#define BT_TASK_ID_BYTES_MAX 200 /* Ids of tasks, inputs, outputs, triggers. */
#define BT_INPUTS_MAX 1000u      /* Inputs, or outputs, of one flow. */

/* Expressions. */
#define BT_TEMPLATE_BYTES_MAX (1u << 20)
#define BT_EXPR_DEPTH_MAX 100 /* Nesting of the syntax tree and of macro calls. */
#define BT_EXPR_NODES_MAX 100000u
#define BT_EXPR_STEPS_MAX 5000000u     /* Nodes evaluated in one rendering. */
#define BT_EXPR_OUTPUT_MAX (10u << 20) /* Text of one rendering. */
#define BT_EXPR_ITEMS_MAX 1000000u     /* Items of a list that an expression makes. */
#define BT_EXPR_RENDER_ROUNDS_MAX 100  /* Recursive rendering. */

/* Executions. */
#define BT_OUTPUT_INLINE_MAX (256u << 10) /* Outputs of a task run kept in its row. */
#define BT_OUTPUT_BYTES_MAX (10u << 20)   /* Outputs of a task run at all. */
#define BT_ITERATION_VALUES_MAX 1000000u  /* Values of one ForEach. */
#define BT_FANOUT_OUTSTANDING_MAX 1000u   /* Children of one flowable that are not ended. */
#define BT_EVALUATE_US_MAX 60000000       /* One evaluate job without a timeout of its own. */
#define BT_KILL_PAGE 256u                 /* Task runs killed in one step. */
#define BT_ATTEMPTS_MAX 1000u
#define BT_STEPS_PER_COMMIT_MAX 20000u /* Budget of one batch. */
#define BT_STEPS_PER_ACTOR_TURN 64u    /* Steps of one execution before the next one's turn. */

/* Namespaces. */
#define BT_KV_KEY_BYTES_MAX 250u
#define BT_KV_VALUE_BYTES_MAX (1u << 20) /* As it is held in memory. */
#define BT_KV_KEYS_MAX 10000u            /* Keys that one request gives or removes. */

/* Logs. */
#define BT_LOG_MESSAGE_MAX 10240u /* Longer texts are cut into several entries. */
#define BT_LOG_CHUNK_BYTES (64u << 10)
#define BT_LOG_LINE_BYTES 32u          /* What a line counts beside its text. */
#define BT_LOG_QUOTA_BYTES (64u << 20) /* Log text of one attempt; a notice says where it cuts. */

/* Workers. */
#define BT_GROUP_BYTES_MAX 60u
#define BT_TAG_BYTES_MAX 60u
#define BT_TAGS_BYTES_MAX 1000u        /* All tags of a worker, or that a task asks for. */
#define BT_LOG_WINDOW_BYTES (1u << 20) /* Log text of a remote worker under way to its server. */
#define BT_OUTPUT_LINE_MAX (1u << 20)  /* A "::{…}::" line. */
#define BT_OUTPUT_FILES_MAX 10000u
#define BT_PLACES_MAX 10000u              /* Directories of WorkingDirectories on one worker. */
#define BT_KILL_GRACE_MS 5000             /* From SIGTERM to SIGKILL. */
#define BT_WALK_DEPTH_MAX 64              /* Nested directories looked through for output files. */
#define BT_GLOB_BYTES_MAX 4096u           /* One pattern. */
#define BT_GLOB_BRACES_MAX 256            /* Patterns that one with {a,b} stands for. */
#define BT_COMMAND_INLINE_MAX (96u << 10) /* Longer command texts are handed over in a file. */
#define BT_COMMAND_BYTES_MAX (8u << 20)   /* Arguments and environment of one command. */
#define BT_METRICS_MAX 10000u             /* Metrics of one attempt. */
#define BT_PATH_BYTES_MAX 4000u           /* A path of the internal storage. */
#define BT_READ_BYTES_MAX (10u << 20)     /* A file that read() gives as a text. */
#define BT_ERROR_LOGS_MAX 1000u           /* Entries that errorLogs() gives, the first ones. */
#define BT_HTTP_CALLS_MAX 20u             /* http() calls of one job. */
#define BT_MASK_BYTES_MIN 3u /* Shorter secrets are hidden only where they stand alone. */
#define BT_DRAIN_MS 250      /* Wait for output after the command has ended. */
#define BT_LOG_FLUSH_MS 100  /* A line waits no longer before it is handed over. */
#define BT_SWEEP_MS 250      /* A daemon outlives its command no longer. */
#define BT_END_MS 30000      /* Wait for killed processes to be gone. */
#define BT_HOST_MESSAGE_MAX (16u << 20) /* One message between a worker and a plugin host. */
#define BT_HOST_RSS_MAX (256u << 20)    /* A host that has used more is replaced. */
#define BT_HOST_IDLE_MS 60000           /* A host without work ends after this time. */
#define BT_HOST_EVENTS_MAX 10000u       /* Events of one evaluation of a trigger. */
#define BT_ROW_BYTES_MAX (16u << 20)    /* One row of a row file. */
#define BT_SPLIT_FILES_MAX 1000000u     /* Files that one file is split into. */
#define BT_SPLIT_PARTITIONS_MAX 10000   /* The same, when lines are dealt out in turn. */
#define BT_DEDUP_LINES_MAX 200000000u   /* Lines of a file that are compared. */
#define BT_STATE_BYTES_MAX (10u << 20)  /* One state file. */
#define BT_PURGED_URIS_MAX 10000u       /* Names of deleted files that a task tells. */

/* The HTTP server. */
#define BT_HTTP_CONNECTIONS_MAX 12000u     /* As far as descriptors are allowed. */
#define BT_HTTP_REFUSED_MAX 1000u          /* Beyond them: are told so, and closed. */
#define BT_HTTP_REFUSED_S 2                /* How long they may take to read it. */
#define BT_HTTP_MEMORY_BYTES 10240u        /* Of one connection: request line and headers. */
#define BT_HTTP_BODY_MAX (16u << 20)       /* A body that is no form. */
#define BT_HTTP_FORM_MAX (1ull << 40)      /* A form, with its files. */
#define BT_FORM_TEXT_MAX (16u << 20)       /* All plain fields of one form. */
#define BT_FORM_PARTS_MAX 2000u            /* Fields and files of one form. */
#define BT_HTTP_QUEUE_MAX 2000u            /* Requests that wait for a thread: more get 429. */
#define BT_HTTP_POOL_MAX 32u               /* Threads that run handlers. */
#define BT_HTTP_HEADERS_S 30               /* For the headers, and between two requests. */
#define BT_HTTP_BODY_S 600                 /* For a body, or for taking an answer. */
#define BT_STREAM_BYTES_MAX (1u << 20)     /* Events that one client has not taken yet. */
#define BT_STREAMS_MAX 10000u              /* Clients that follow something. */
#define BT_STREAM_KEEP_ALIVE_S 15          /* Between comments of an idle stream. */
#define BT_PREVIEW_TEXT_MAX (2u << 20)     /* Bytes of a text or of rows that are shown … */
#define BT_PREVIEW_PICTURE_MAX (10u << 20) /* … and of a picture. */
#define BT_PREVIEW_ROWS 100u               /* Lines of a preview, unless asked for more. */
#define BT_PREVIEW_ROWS_MAX 5000u
#define BT_GRAPH_NODES_MAX 5000u            /* Task runs, and nodes of iterations, in one graph. */
#define BT_ZIP_ENTRIES_MAX 10000u           /* Files in one archive. */
#define BT_ZIP_BYTES_MAX ((int64_t)2 << 30) /* Content of one archive. */
#define BT_SPACE_FILES_MAX 100000u          /* Files of a namespace that one call walks over. */
#define BT_DISK_FREE_MIN (10 << 20)         /* Less is no health. */
#define BT_ONCE_KEY_BYTES_MAX 255u          /* An Idempotency-Key. */
#define BT_BULK_MAX 100000u                 /* Executions, or flows, of one call. */
#define BT_DROP_WAIT_MS 30000               /* For an execution that is killed to be deleted. */
#define BT_PAGE_SIZE_MAX 10000u             /* Rows of one page of a list. */
