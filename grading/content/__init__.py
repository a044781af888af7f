"""What the course consists of: labs, tasks, known answers, blanks. It knows no other room of grading."""
