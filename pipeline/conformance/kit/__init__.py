"""What the kit consists of besides the guests: its runner, adapters, workflows and README."""
