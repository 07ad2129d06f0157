// What is left out of pasted HTML: what nobody saw, comments of reviewers, and what a story's text cannot have.
import { readStyle } from "./inline_style.js";

const UNSEEN = new Set(
  ("HEAD TITLE META LINK STYLE SCRIPT NOSCRIPT TEMPLATE XML IFRAME FRAME OBJECT EMBED APPLET PARAM SELECT DATALIST " +
    "TEXTAREA INPUT BUTTON AUDIO CANVAS MAP MATH DIALOG PROGRESS METER").split(" "),
);
const PICTURES = new Set(["IMG", "SVG", "PICTURE", "VIDEO", "V:SHAPE", "V:IMAGEDATA", "IMAGE"]);

/** Whether `element` is a picture that somebody saw: not one of the pixels that count readers. */
export function isPicture(element) {
  if (!PICTURES.has(element.nodeName.toUpperCase())) return false;
  return !["width", "height"].some((side) => ["0", "1"].includes(element.getAttribute(side)));
}

/** Whether `element` is left out with all that is in it. */
export function isLeftOut(element) {
  const name = element.nodeName.toUpperCase();
  if (UNSEEN.has(name) || PICTURES.has(name) || element.hasAttribute("hidden")) return true;
  const style = readStyle(element);
  return (
    style.display === "none" ||
    style.visibility === "hidden" ||
    style["mso-hide"] === "all" ||
    isComment(element, style) ||
    isDeleted(element, name)
  );
}

// A reviewer's comment in Word: its mark in the text, and the list of comments at the end.
function isComment(element, style) {
  return (
    style["mso-special-character"] === "comment" ||
    /^comment/.test(style["mso-element"] ?? "") ||
    /^#_msocom_/.test(element.getAttribute("href") ?? "") ||
    /\b(MsoCommentReference|MsoCommentText|msocomtxt|msocomoff|msocomanchor)\b/.test(element.getAttribute("class") ?? "")
  );
}

// What a tracked change has deleted; a web page's <del> is struck out, and stays.
function isDeleted(element, name) {
  return name === "DEL" && (element.hasAttribute("datetime") || /^mailto:/.test(element.getAttribute("cite") ?? ""));
}
