"""Methods for stiff flows that scipy lacks, and one guarded step of any integrator."""
