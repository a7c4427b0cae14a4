import { Argument, type Command } from "commander";
import { terminalOf } from "./terminal.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** `holdfast completion SHELL`. */
export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print what teaches a shell to complete verbs, options and processes")
    .addArgument(new Argument("<shell>", "which one").choices(SHELLS))
    .addHelpText("after", HOW)
    .action((shell: Shell) => terminalOf(process.stdout).write(scripts[shell](verbsOf(program))));
}

const HOW = `
In the file that the shell reads when it starts:
  bash  source <(holdfast completion bash)
  zsh   source <(holdfast completion zsh)
  fish  holdfast completion fish | source
`;

/** A verb, as far as completion knows it. */
interface Verb {
  readonly name: string;
  readonly does: string;
  readonly options: readonly {
    readonly flag: string;
    readonly does: string;
    readonly choices: readonly string[];
  }[];
  /** What its first argument may be; `undefined`: a process. */
  readonly choices: readonly string[] | undefined;
}

function verbsOf(program: Command): Verb[] {
  return program.commands.map((command) => {
    const [first] = command.registeredArguments;
    const others = program.commands.map((one) => one.name());
    const isProcess = first !== undefined && ["process", "pid"].includes(first.name());
    return {
      name: command.name(),
      does: command.description(),
      options: command.options.map(({ long, short, description, argChoices }) => ({
        flag: long ?? short ?? "",
        does: description,
        choices: argChoices ?? [],
      })),
      choices: isProcess ? undefined : (first?.argChoices ?? wordsAfter(command, others)),
    };
  });
}

/** What may come first after a verb that takes no process: one of all verbs, or of its own. */
function wordsAfter(command: Command, verbs: readonly string[]): readonly string[] {
  return command.name() === "help" ? verbs : command.commands.map((one) => one.name());
}

/** What a shell asks for the processes that there are. */
const PROCESSES = "holdfast ps --quiet 2>/dev/null";

const scripts: Readonly<Record<Shell, (verbs: readonly Verb[]) => string>> = { bash, zsh, fish };

function bash(verbs: readonly Verb[]): string {
  const cases = verbs.map(({ name, options, choices }) => {
    const flags = options.map(({ flag }) => flag).join(" ");
    const first = choices === undefined ? `$(${PROCESSES})` : choices.join(" ");
    return `    ${name}) flags=${quote(flags)}; first="${first}" ;;`;
  });
  const values = verbs.flatMap(({ name, options }) =>
    options
      .filter(({ choices }) => choices.length > 0)
      .map(
        ({ flag, choices }) =>
          `    ${name}:${flag}) COMPREPLY=($(compgen -W ${quote(choices.join(" "))} -- "$word")); return ;;`,
      ),
  );
  return `# bash completion for holdfast
_holdfast() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} verb=\${COMP_WORDS[1]} flags first
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quote([...verbs.map(({ name }) => name), "--help", "--version"].join(" "))} -- "$word"))
    return
  fi
  case $verb:$before in
${values.join("\n")}
  esac
  case $verb in
${cases.join("\n")}
    *) return ;;
  esac
  if [ "\${word#-}" != "$word" ]; then
    COMPREPLY=($(compgen -W "$flags --help" -- "$word"))
  elif [ "$COMP_CWORD" -eq 2 ]; then
    COMPREPLY=($(compgen -W "$first" -- "$word"))
  fi
}
complete -F _holdfast holdfast
`;
}

function zsh(verbs: readonly Verb[]): string {
  const cases = verbs.map(({ name, options, choices }) => {
    const specs = options.map(({ flag, does, choices: values }) =>
      quote(`${flag}[${escapeZsh(does)}]${values.length === 0 ? "" : `:value:(${values.join(" ")})`}`),
    );
    const first =
      choices === undefined ? `'1:process:($(${PROCESSES}))'` : quote(`1:what:(${choices.join(" ")})`);
    return `    ${name}) _arguments ${[...specs, "'--help[print help]'", first].join(" ")} ;;`;
  });
  return `#compdef holdfast
_holdfast() {
  if (( CURRENT == 2 )); then
    local -a verbs=(
${verbs.map(({ name, does }) => `      ${quote(`${name}:${does}`)}`).join("\n")}
    )
    _describe verb verbs
    return
  fi
  local verb=\${words[2]}
  shift words
  (( CURRENT-- ))
  case $verb in
${cases.join("\n")}
  esac
}
(( \${+functions[compdef]} )) || { autoload -Uz compinit && compinit }
compdef _holdfast holdfast
`;
}

function fish(verbs: readonly Verb[]): string {
  const lines = verbs.flatMap(({ name, does, options, choices }) => [
    `complete -c holdfast -n __fish_use_subcommand -a ${name} -d ${quoteFish(does)}`,
    `complete -c holdfast -n '__fish_seen_subcommand_from ${name}' -a ${choices === undefined ? `'(${PROCESSES})'` : quoteFish(choices.join(" "))}`,
    ...options.map(
      ({ flag, does: what, choices: values }) =>
        `complete -c holdfast -n '__fish_seen_subcommand_from ${name}' -l ${flag.replace(/^--/, "")} -d ${quoteFish(what)}` +
        (values.length === 0 ? "" : ` -x -a ${quoteFish(values.join(" "))}`),
    ),
  ]);
  return `# fish completion for holdfast\ncomplete -c holdfast -f\n${lines.join("\n")}\n`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function quoteFish(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}

function escapeZsh(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, String.raw`\$&`);
}
