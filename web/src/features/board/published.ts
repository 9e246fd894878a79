/** What others have published on ODEBench. Other protocols, other machines: beside our table, never in it. */
export const PUBLISHED = [
  {
    method: "ODEFormer",
    reconstruction: ".664",
    generalisation: ".328",
    symbolic: "–",
    source: "S. d'Ascoli et al., ICLR 2024, arXiv:2310.05573, σ = 0, nothing dropped",
    differs:
      "the same tasks; trained on millions of random systems, 50 candidates, their own integrator, under which the true laws reach 60 of 63 (63 of 63 under ours)",
  },
  {
    method: "LLM-ACES",
    reconstruction: "–",
    generalisation: "–",
    symbolic: ".462",
    source: "arXiv:2606.25039 (2026), ODEBench",
    differs:
      "the method asks for further trajectories of its choice while it searches; a language model writes the operators; symbolic equivalence is their own measure",
  },
] as const;
