// What typing at the beginning of a paragraph makes of it. Backspace right after takes it back.
import { InputRule, inputRules, textblockTypeInputRule, wrappingInputRule } from "prosemirror-inputrules";
import { schema } from "./schema.js";

const { blockquote, bullet_list, heading, horizontal_rule, ordered_list, paragraph } = schema.nodes;

export const typingRules = inputRules({
  rules: [
    wrappingInputRule(/^[-*•·]\s$/, bullet_list),
    // Only 1: "2021. " begins many a sentence.
    wrappingInputRule(/^1[.)]\s$/, ordered_list, null, () => false),
    wrappingInputRule(/^>\s$/, blockquote),
    textblockTypeInputRule(/^(#{2,3})\s$/, heading, (match) => ({ level: match[1].length })),
    new InputRule(/^(---|\*\*\*)\s$/, (state, match, start, end) => {
      const place = state.doc.resolve(start);
      if (place.parent.type !== paragraph || place.parentOffset !== 0) return null;
      return state.tr.delete(start, end).insert(place.before(), horizontal_rule.create());
    }),
  ],
});
