"""The truth about the programs of the corpus, found without the checker and sharing nothing with it.

`table` reads corpus.toml; `functions`, `layers` and `scripts` run the programs of each style into a `Play`;
`differences` differentiates a play's forward; `proofs` and `probes` say what each cause means.
"""
