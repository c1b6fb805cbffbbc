/** What a regular expression may cost: steps for a text of n characters are about `factor * n ** power`. */
export interface PatternCost {
  factor: number;
  power: number;
}

const maxLength = 500;
const maxPower = 5;
const maxFactor = 4096;

/**
 * How much a regular expression may cost, or why it is refused. JavaScript's engine tries all ways to match, so a
 * repetition inside a repetition costs exponential time: those are refused, and the others are counted.
 */
export function patternCost(pattern: string): PatternCost | { fault: string } {
  if (pattern.length > maxLength) return { fault: `expected a pattern of at most ${maxLength} characters` };
  try {
    void new RegExp(pattern, "u");
  } catch {
    return { fault: `expected a regular expression (with flag u), got ${JSON.stringify(pattern)}` };
  }
  if (/\\[1-9k]|\(\?<?[=!]/.test(pattern.replaceAll("\\\\", ""))) {
    return { fault: "expected a pattern without back references and look-arounds, which can take for ever" };
  }
  return count(pattern);
}

function count(pattern: string): PatternCost | { fault: string } {
  const cost = { factor: 1, power: pattern.startsWith("^") ? 0 : 1 };
  // For each open group, and the whole: whether a choice or a repetition stands inside.
  const groups: { isLoose: boolean }[] = [{ isLoose: false }];
  let isClosedLoose = false;
  for (const [token] of pattern.matchAll(
    /\\.|\[(?:\\.|[^\]\\])*\]|\(\?:|\(\?<\w+>|[()|]|[*+?]\??|\{\d+(?:,\d*)?\}\??|[^]/gu,
  )) {
    if (token.startsWith("(")) groups.push({ isLoose: false });
    else if (token === ")") {
      isClosedLoose = groups.pop()?.isLoose === true;
      if (isClosedLoose) markLoose(groups);
      continue;
    } else if (token === "|") {
      cost.factor *= 2;
      markLoose(groups);
    } else if (/^[*+?{]/.test(token) && token.length <= 12) {
      const isOptional = token.startsWith("?");
      if (isClosedLoose && !isOptional) return { fault: "expected no choice or repetition inside of a repetition" };
      if (isOptional) cost.factor *= 2;
      else if (!/^\{\d+\}/.test(token)) cost.power += 1;
      markLoose(groups);
    }
    isClosedLoose = false;
  }
  if (cost.power > maxPower || cost.factor > maxFactor) return { fault: "expected a pattern with fewer repetitions" };
  return cost;
}

function markLoose(groups: { isLoose: boolean }[]): void {
  const innermost = groups.at(-1);
  if (innermost !== undefined) innermost.isLoose = true;
}
