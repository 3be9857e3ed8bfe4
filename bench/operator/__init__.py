"""What a thousand neurons cost the operator, and what a restart costs."""
