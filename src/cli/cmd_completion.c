/* cmd_completion.c — Completion scripts, made from the command table. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_names(void)
{
    for (const struct bt_command *command = bt_commands; command->name; command++)
        (void)printf("%s%s", command == bt_commands ? "" : " ", command->name);
}

static void print_bash(void)
{
    (void)puts("# baton completion for bash: source <(baton completion bash)");
    (void)printf("_baton() {\n"
                 "  local cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                 "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
                 "    COMPREPLY=($(compgen -W \"");
    print_names();
    (void)printf("\" -- \"$cur\"))\n"
                 "  elif [ \"${cur#-}\" != \"$cur\" ]; then\n"
                 "    COMPREPLY=($(compgen -W \"$(baton \"${COMP_WORDS[1]}\" --help 2>/dev/null |"
                 " grep -oE -- '--[a-z-]+' | sort -u)\" -- \"$cur\"))\n"
                 "  else\n"
                 "    COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                 "  fi\n"
                 "}\n"
                 "complete -o filenames -F _baton baton\n");
}

static void print_zsh(void)
{
    (void)puts("#compdef baton\n# baton completion for zsh: baton completion zsh > _baton");
    (void)puts("_baton() {\n  local -a commands\n  commands=(");
    for (const struct bt_command *command = bt_commands; command->name; command++)
        (void)printf("    '%s:%s'\n", command->name, command->summary);
    (void)puts("  )\n"
               "  if (( CURRENT == 2 )); then\n"
               "    _describe command commands\n"
               "  elif [[ $words[CURRENT] == -* ]]; then\n"
               "    compadd -- ${(u)${(f)\"$(baton $words[2] --help 2>/dev/null |"
               " grep -oE -- '--[a-z-]+')\"}}\n"
               "  else\n    _files\n  fi\n}\n"
               "compdef _baton baton");
}

static void print_fish(void)
{
    (void)puts("# baton completion for fish: baton completion fish | source");
    for (const struct bt_command *command = bt_commands; command->name; command++)
        (void)printf("complete -c baton -n __fish_use_subcommand -f -a %s -d '%s'\n", command->name,
                     command->summary);
    (void)puts(
        "complete -c baton -n 'not __fish_use_subcommand' -a "
        "'(baton (commandline -opc)[2] --help 2>/dev/null | string match -ra -- \"--[a-z-]+\")'");
}

int bt_cmd_completion(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    static const char usage[] =
        "Usage: baton completion bash|zsh|fish\n\n"
        "Prints a completion script. For bash: source <(baton completion bash)\n";
    for (size_t i = 0; argc == 2 && i < sizeof shells / sizeof *shells; i++) {
        if (strcmp(argv[1], shells[i].name) == 0) {
            shells[i].print();
            return BT_EXIT_OK;
        }
    }
    bool is_help = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    (void)fputs(usage, is_help ? stdout : stderr);
    return is_help ? BT_EXIT_OK : BT_EXIT_USAGE;
}
