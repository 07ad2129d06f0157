// What html-validate judges the public pages by: everything it recommends.

export default {
  root: true,
  extends: ["html-validate:recommended"],
  rules: {
    // HTML does not care, and the templates write it as people do.
    "doctype-style": ["error", { style: "lowercase" }],
    // A field is named after the key of the story that it is for, such as image.alt; and its element likewise.
    "valid-id": ["error", { relaxed: true }],
    // Boxes to tick are one field with several values, which is how a form without a script says a list.
    "form-dup-name": ["error", { shared: ["checkbox", "radio", "submit"] }],
  },
};
