/* main.c — Entry point: hands the command line to the CLI. */
#include "base/crash.h"
#include "cli/cli.h"

int main(int argc, char **argv)
{
    bt_crash_init();
    return bt_cli_main(argc, argv);
}
