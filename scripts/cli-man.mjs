// The man page of cairn, made of what `cairn help --json` says.

/** Text as roff: what it would take for a command or a hyphen is escaped. */
function roff(text) {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replace(/^\./gm, '\\&.');
}

const bold = (text) => `\\fB${roff(text)}\\fR`;
const item = (term, text) => ['.TP', term, roff(text)];

function optionTerm(name, { short, type, value = 'value' }) {
  const title = `${short ? `${bold(`-${short}`)}, ` : ''}${bold(`--${name}`)}`;
  return type === 'string' ? `${title} \\fI${roff(value)}\\fR` : title;
}

const options = (all = {}) =>
  Object.entries(all).flatMap(([name, option]) => item(optionTerm(name, option), option.description));

function commandLines({ name, summary, arguments: args, options: own, details, examples, place }) {
  const where = { anywhere: 'cairn ', prompt: '' }[place] ?? 'cairn directory ';
  return [
    `.SS ${bold(`${where}${name}`)} ${roff(args)}`.trimEnd(),
    `${roff(summary)}.`,
    ...(details?.split('\n\n') ?? []).flatMap((paragraph) => ['.PP', roff(paragraph)]),
    ...options(own),
    '.PP',
    examples.length > 1 ? 'Examples:' : 'Example:',
    ...examples.flatMap(({ line, what }) => item(bold(line), what)),
  ];
}

/** The page for a version. */
export function manPage({ commands, options: common, exitCodes, environment }, version) {
  const shell = commands.filter(({ place }) => place !== 'prompt');
  const prompt = commands.filter(({ place }) => place === 'prompt');
  const rows = (list) => list.flatMap(([left, right]) => item(bold(left), right));
  return `${[
    `.TH CAIRN 1 "" "cairndb ${version}" "CairnDB"`,
    '.SH NAME',
    'cairn \\- look inside a CairnDB database, repair it, move it',
    '.SH SYNOPSIS',
    `${bold('cairn')} \\fIdirectory\\fR [\\fIcommand\\fR] [\\fIarguments\\fR]`,
    '.br',
    `${bold('cairn help')} [\\fIcommand\\fR]`,
    '.br',
    bold('cairn --version'),
    '.SH DESCRIPTION',
    'Without a command a prompt opens. Lines that are piped into it are run as a script.',
    '.SH OPTIONS',
    'Every command takes these:',
    ...options(common),
    '.SH COMMANDS',
    ...shell.flatMap(commandLines),
    '.SH PROMPT',
    'The prompt has these besides:',
    ...prompt.flatMap(commandLines),
    '.SH EXIT STATUS',
    ...rows(exitCodes),
    '.SH ENVIRONMENT',
    ...rows(environment),
  ].join('\n')}\n`;
}
