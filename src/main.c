/* main.c — Entry point: hands the command line to the CLI. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return bt_cli_main(argc, argv);
}
