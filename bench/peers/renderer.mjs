// npm's mjml and juice in one warm process: a question in JSON on each line of standard input, and an answer.
// The time is taken in here, so that nothing of the way to and from it counts.

import { createInterface } from "node:readline";
import juice from "juice";
import mjml2html from "mjml";

const tasks = {
  mjml: async ({ mjml }) => (await mjml2html(mjml)).html,
  // As its documentation has it: every style sheet of the document, and ours.
  "mjml and juice": async ({ mjml, css }) => juice((await mjml2html(mjml)).html, { extraCss: css }),
  // Only the rules that our own inliner takes.
  "mjml and juice, the same rules": async ({ mjml, css }) => juice.inlineContent((await mjml2html(mjml)).html, css),
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  const start = performance.now();
  const html = await tasks[question.task](question);
  const milliseconds = performance.now() - start;
  console.log(JSON.stringify({ milliseconds, html }));
}
