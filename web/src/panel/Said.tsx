import type { TurnView } from "../episode/types";
import { Part } from "../shared/parts";
import { OUTCOMES } from "../shared/words";
import { EquationView, type Look, Sample, stroke } from "../viz";
import type { MemberState } from "./Compared";
import { Writing } from "./Completion";
import { Generalisation, said } from "./Verdict";

/** A member, and the turn of its that is looked at: its last where it ended earlier, null before its first. */
export interface Shown {
  member: MemberState;
  turn: TurnView | null;
}

export function shownAt(member: MemberState, current: number): Shown {
  const { turns } = member.episode;
  return { member, turn: current > 0 ? (turns[current - 1] ?? turns.at(-1) ?? null) : null };
}

/** Where a member stands at the shown turn, in a few words: how it ended is said of its last turn alone. */
export function standsAt({ member, turn }: Shown): string {
  const { outcome, turns } = member.episode;
  if (!turn) return outcome ? OUTCOMES[outcome] : "no turn yet";
  const at = `turn ${turn.turn}`;
  if (turn.turn < turns.length) return `${at} of ${turns.length}`;
  return outcome ? `${at}, ${OUTCOMES[outcome]}` : at;
}

interface SaidProps extends Shown {
  /** How its curve looks where several share a chart. */
  look?: Look | undefined;
  /** Without what changed since the turn before, and the mismatch in words. */
  brief?: boolean;
}

/** What one member says at this turn: its law, or why there is none, and what it is writing. */
export function Said({ member, turn, look, brief = false }: SaidProps) {
  const { episode, writing } = member;
  const finished = episode.outcome !== null;
  return (
    <div className="grid min-w-0 content-start gap-2">
      <h3 className="flex flex-wrap items-center gap-x-2" style={look && { color: stroke(look) }}>
        {look && <Sample look={look} />}
        {member.label}
        <span className="text-xs text-muted">{standsAt({ member, turn })}</span>
      </h3>
      {turn && (
        <Part name="The equation">
          <EquationView
            parse={turn.parse}
            source={turn.equation}
            params={turn.params}
            previous={brief ? null : (episode.turns[turn.turn - 2] ?? null)}
            of={member.label}
          />
        </Part>
      )}
      {turn && (
        <p>
          <span className="font-semibold">{said(turn)}</span>{" "}
          {!brief && turn.parse.rejection === null && turn.mismatch}
        </p>
      )}
      {turn && <Generalisation turn={turn} carried={episode.started?.payload.carried_to ?? null} />}
      {writing && <Writing text={writing} />}
      {episode.failure && (!finished || episode.outcome === "policy_failed") && (
        <p className="notice">Policy failed: {episode.failure.reason}</p>
      )}
    </div>
  );
}
