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
                 "  local cur=\"$2\" words=\"\"\n"
                 "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
                 "    words=\"");
    print_names();
    (void)printf(
        "\"\n"
        "  elif [ \"${COMP_WORDS[1]}\" = completion ]; then\n"
        "    words=\"bash zsh fish\"\n"
        "  elif [ \"$COMP_CWORD\" = 2 ] && [[ \"${COMP_WORDS[1]}\" == @(flow|exec) ]]; then\n"
        "    words=\"$(\"$1\" \"${COMP_WORDS[1]}\" --help 2>/dev/null |"
        " sed -nE 's/^  ([a-z][a-z-]*) .*/\\1/p')\"\n"
        "  elif [ \"${cur#-}\" != \"$cur\" ]; then\n"
        "    words=\"$(\"$1\" \"${COMP_WORDS[1]}\" --help 2>/dev/null |"
        " grep -oE -- '--[a-z-]+' | sort -u)\"\n"
        "  fi\n"
        "  if [ -n \"$words\" ]; then\n"
        "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
        "  else\n"
        "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
        "  fi\n"
        "}\n"
        "complete -o filenames -F _baton baton\n");
}

/* Within single quotes; `escaped` is how the shell writes one there. */
static void print_quoted(const char *text, const char *escaped)
{
    for (; *text; text++) {
        if (*text == '\'')
            (void)fputs(escaped, stdout);
        else
            (void)putchar(*text);
    }
}

static void print_zsh(void)
{
    (void)puts("#compdef baton\n# baton completion for zsh: baton completion zsh > _baton");
    (void)puts("_baton() {\n  local -a commands\n  commands=(");
    for (const struct bt_command *command = bt_commands; command->name; command++) {
        (void)printf("    '%s:", command->name);
        print_quoted(command->summary, "'\\''");
        (void)puts("'");
    }
    (void)puts("  )\n"
               "  if (( CURRENT == 2 )); then\n"
               "    _describe command commands\n"
               "  elif [[ $words[2] == completion ]]; then\n"
               "    compadd bash zsh fish\n"
               "  elif (( CURRENT == 3 )) && [[ $words[2] == (flow|exec) ]]; then\n"
               "    compadd -- ${(f)\"$($words[1] $words[2] --help 2>/dev/null |"
               " sed -nE 's/^  ([a-z][a-z-]*) .*/\\1/p')\"}\n"
               "  elif [[ $words[CURRENT] == -* ]]; then\n"
               "    compadd -- ${(u)${(f)\"$($words[1] $words[2] --help 2>/dev/null |"
               " grep -oE -- '--[a-z-]+')\"}}\n"
               "  else\n    _files\n  fi\n}\n"
               "compdef _baton baton");
}

static void print_fish(void)
{
    (void)puts("# baton completion for fish: baton completion fish | source");
    for (const struct bt_command *command = bt_commands; command->name; command++) {
        (void)printf("complete -c baton -n __fish_use_subcommand -f -a %s -d '", command->name);
        print_quoted(command->summary, "\\'");
        (void)puts("'");
    }
    (void)puts(
        "complete -c baton -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n"
        "complete -c baton -n '__fish_seen_subcommand_from flow exec' -f -a "
        "'((commandline -opc)[1] (commandline -opc)[2] --help 2>/dev/null | "
        "string replace -rf -- \"^  ([a-z][a-z-]*) .*\" \"\\$1\")'\n"
        "complete -c baton -n 'not __fish_use_subcommand' -a "
        "'((commandline -opc)[1] (commandline -opc)[2] --help 2>/dev/null | string match -ra -- "
        "\"--[a-z-]+\")'");
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
