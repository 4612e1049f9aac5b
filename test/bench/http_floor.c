/* http_floor.c — The bound of http.request: a bare loop of libcurl's multi interface, with nothing
 * around it. Usage: http_floor URL [PARALLEL [SECONDS]]; prints requests per second. */
#include <curl/curl.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PARALLEL_MAX = 256 };

struct floor_run {
    CURLM *multi;
    CURL *easy[PARALLEL_MAX];
    size_t parallel, bytes, done;
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t take(char *at, size_t size, size_t count, void *data)
{
    (void)at;
    *(size_t *)data += size * count;
    return size * count;
}

static void begin(struct floor_run *run, const char *url)
{
    run->multi = curl_multi_init();
    assert(run->multi);
    for (size_t i = 0; i < run->parallel; i++) {
        CURL *easy = run->easy[i] = curl_easy_init();
        assert(easy);
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &run->bytes);
        curl_multi_add_handle(run->multi, easy);
    }
}

/* Counts what has ended and asks again at once. */
static void again(struct floor_run *run)
{
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(run->multi, &left))) {
        CURL *easy = message->easy_handle;
        long code = 0;
        if (message->data.result != CURLE_OK) {
            fprintf(stderr, "http_floor: %s\n", curl_easy_strerror(message->data.result));
            exit(1);
        }
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
        assert(code == 200);
        run->done++;
        curl_multi_remove_handle(run->multi, easy);
        curl_multi_add_handle(run->multi, easy);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: http_floor URL [PARALLEL [SECONDS]]\n");
        return 2;
    }
    static struct floor_run run;
    run.parallel = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 16;
    double seconds = argc > 3 ? strtod(argv[3], NULL) : 2.0;
    assert(run.parallel > 0 && run.parallel <= PARALLEL_MAX);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    begin(&run, argv[1]);
    double start = now_s();
    while (now_s() - start < seconds) {
        int running = 0;
        curl_multi_perform(run.multi, &running);
        again(&run);
        curl_multi_poll(run.multi, NULL, 0, 100, NULL);
    }
    printf("%.0f requests/s, %zu in parallel, %zu bytes a body\n",
           (double)run.done / (now_s() - start), run.parallel, run.done ? run.bytes / run.done : 0);
    for (size_t i = 0; i < run.parallel; i++) {
        curl_multi_remove_handle(run.multi, run.easy[i]);
        curl_easy_cleanup(run.easy[i]);
    }
    curl_multi_cleanup(run.multi);
    curl_global_cleanup();
    return 0;
}
