"""One recipe a file: where its works come from and how one track of them is rendered."""
