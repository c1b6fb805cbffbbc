import { parseMoney } from "@drover/domain/money";
import { listOption, type Option, textOption } from "./option.ts";

/** One amount in US dollars, as nanodollars. */
export function moneyOption({ doc }: { doc: string }): Option<bigint | undefined> {
  const list = listOption({
    doc,
    placeholder: "USD",
    expects: "an amount in US dollars such as 5 or 0.0001",
    parse: parseMoney,
  });
  return {
    ...list,
    isRepeatable: false,
    read(texts) {
      const reading = list.read(texts);
      return "wrong" in reading ? reading : { value: reading.value[0] };
    },
  };
}

/** One word of a fixed set. */
export function choiceOption<const W extends string>({
  doc,
  words,
}: {
  doc: string;
  words: readonly W[];
}): Option<W | undefined> {
  const text = textOption({ doc, placeholder: words.join("|"), expects: `one of ${words.join(", ")}` });
  const isWord = (given: string): given is W => words.some((word) => word === given);
  return {
    ...text,
    words,
    read: ([given]) =>
      given === undefined ? { value: undefined } : isWord(given) ? { value: given } : { wrong: given },
  };
}
